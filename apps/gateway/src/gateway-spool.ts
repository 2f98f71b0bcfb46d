import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Settings } from '@tokone/http';
import { StartupError } from '@tokone/persistence';
import type { ServiceWorld } from '@tokone/service';
import { Spool, SpoolError } from '@tokone/spool';
import { noGatewayMetrics } from '@tokone/telemetry';
import type { GatewayMetrics } from '@tokone/telemetry';
import type { SETTINGS } from './settings.js';

type SpoolSettings = Pick<Settings<typeof SETTINGS>, 'TOKONE_SPOOL_DIR' | 'TOKONE_SPOOL_STRICT' | 'TOKONE_SPOOL_LIMIT_BYTES'>;

/** A service that is asked to stop gives up after a minute. */
const LONGEST_PREDECESSOR_MS = 60_000;
const RETRY_MS = 250;

/**
 * The spool of this gateway, opened and locked. A gateway that a killed supervisor left behind lets its running answers
 * end and holds the spool until then, so it is waited for. @throws StartupError when it is held for longer.
 */
export async function takeSpool(settings: SpoolSettings, world: Pick<ServiceWorld, 'logger' | 'now' | 'stop'> & { gatewayMetrics?: GatewayMetrics }): Promise<Spool> {
  const { logger, stop } = world;
  const deadline = AbortSignal.timeout(LONGEST_PREDECESSOR_MS);
  for (let attempt = 0; ; attempt++) {
    try {
      return await openSpool(settings, world);
    } catch (error) {
      if (!(error instanceof SpoolError)) throw error;
      if (error.code !== 'locked' || deadline.aborted) throw new StartupError(error.message, { cause: error });
      if (attempt === 0) logger.warn({ reason: error.message }, 'the spool is waited for, as long as a gateway may take to stop');
      await delay(RETRY_MS);
      stop.throwIfAborted();
    }
  }
}

function openSpool(settings: SpoolSettings, { logger, now, gatewayMetrics = noGatewayMetrics }: Pick<ServiceWorld, 'logger' | 'now'> & { gatewayMetrics?: GatewayMetrics }): Promise<Spool> {
  return Spool.open({
    folder: join(settings.TOKONE_SPOOL_DIR, 'spool'),
    now,
    strict: settings.TOKONE_SPOOL_STRICT === 'yes',
    highWaterBytes: settings.TOKONE_SPOOL_LIMIT_BYTES,
    meter: gatewayMetrics.spool,
    onAlarm: (alarm) => {
      logger.error({ ...alarm }, 'alarm: spool');
      gatewayMetrics.alarm(alarm.kind);
    },
  });
}
