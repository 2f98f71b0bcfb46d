import 'reflect-metadata';
import { prepareAccount } from '@tokone/account';
import { prepareBilling } from '@tokone/billing';
import { describeSettings } from '@tokone/http';
import { runCommand } from '@tokone/service';
import { SETTINGS } from './settings.js';
import { prepareTopics } from './topics.js';
import { roleOf } from './role.js';

const { argv, env: environment, stdout, stderr } = process;

/** Tables, roles, price book and topics, as far as they are missing. Any number of processes may run this at once. */
process.exit(
  await runCommand(
    {
      name: 'migrate',
      about: `Prepares the database and the topics of a deployment; to be run before the services start, at each upgrade.\n\n${describeSettings(SETTINGS)}`,
      settings: SETTINGS,
      async run(settings, { logger, now }) {
        const adminUrl = settings.DATABASE_URL;
        await prepareAccount({ adminUrl, role: roleOf(settings.TOKONE_ACCOUNT_DATABASE_URL) });
        await prepareBilling({ adminUrl, role: roleOf(settings.TOKONE_BILLING_DATABASE_URL), operatorPrices: settings.TOKONE_PRICES_FILE, log: logger, now });
        await prepareTopics(settings, { logger, now });
        stderr.write('Database and topics are ready.\n');
      },
    },
    { argv: argv.slice(2), environment, stdout, stderr, now: Date.now },
  ),
);
