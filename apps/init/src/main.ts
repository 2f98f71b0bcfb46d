import 'reflect-metadata';
import { describeSettings } from '@tokone/http';
import { Uuid7Source } from '@tokone/protocol';
import { runCommand } from '@tokone/service';
import { makeDemoData } from './demo-data.js';
import { SETTINGS } from './settings.js';

const { argv, env: environment, stdout, stderr } = process;

/** The groups, an account with $10 and a key for each group; on standard output the keys as lines that a shell can source. */
process.exit(
  await runCommand(
    {
      name: 'init',
      about: `Makes the demo data of a deployment, once. What is there stays; the upstreams of the groups follow the settings.\n\n${describeSettings(SETTINGS)}`,
      settings: SETTINGS,
      run: async (settings, { logger, now }) => void stdout.write(await makeDemoData(settings, { logger, ids: new Uuid7Source(now) })),
    },
    { argv: argv.slice(2), environment, stdout, stderr, now: Date.now },
  ),
);
