import { lockFolder, startEmbeddedPostgres } from '@tokone/persistence';
import type { EmbeddedPostgres } from '@tokone/persistence';
import type { Logger } from '@tokone/telemetry';
import { checkAddress } from '@tokone/service';
import type { OpenedParts } from '@tokone/service';
import { KeptSimulator, readSecrets } from '@tokone/quickstart';
import type { Secrets } from '@tokone/quickstart';
import type { StandaloneSettings } from './settings.js';

/** What everything else stands on. */
export interface Foundation {
  secrets: Secrets;
  database: EmbeddedPostgres;
  simulator: KeptSimulator;
}

/** Takes the data folder, then starts PostgreSQL and the simulator side by side. What cannot work is refused before. */
export async function layFoundation(settings: StandaloneSettings, { logger, parts }: { logger: Logger; parts: OpenedParts }): Promise<Foundation> {
  const dataFolder = settings.TOKONE_DATA_DIR;
  const lock = parts.add('lock', await lockFolder(dataFolder), (held) => held.release());
  await checkAddress({ host: settings.HOST, port: settings.PORT });
  await checkAddress({ host: '127.0.0.1', port: settings.MANAGEMENT_PORT, settings: { host: 'HOST', port: 'MANAGEMENT_PORT' } });
  const secrets = await readSecrets(dataFolder);
  const [database, simulator] = await bothOrThrow([
    startEmbeddedPostgres({ dataFolder, lock }).then((server) => parts.add('PostgreSQL', server, () => server.stop())),
    KeptSimulator.start(dataFolder, logger).then((kept) => parts.add('simulator', kept, () => kept.stop())),
  ]);
  return { secrets, database, simulator };
}

/** Unlike Promise.all it waits for the second when the first fails, so that whatever was started can be ended. */
async function bothOrThrow<One, Other>([one, other]: [Promise<One>, Promise<Other>]): Promise<[One, Other]> {
  await Promise.allSettled([one, other]);
  return [await one, await other];
}
