import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Spool } from '@tokone/spool';
import type { GatewayMetrics, Logger } from '@tokone/telemetry';
import { readFileIfThere, writePrivateFile } from '@tokone/service';

/**
 * Raises an alarm when the spool that this folder had is gone: what it held and nobody had rated is never charged.
 * The id is kept beside the spool, from its first record on; one that was never written to has nothing to lose.
 */
export async function watchSpoolIdentity(spool: Spool, dataFolder: string, { logger, metrics }: { logger: Logger; metrics: Pick<GatewayMetrics, 'alarm'> }): Promise<void> {
  const path = join(dataFolder, 'spool-id');
  const keptId = (await readFileIfThere(path))?.trim();
  if (keptId === spool.id) return;
  if (keptId !== undefined) {
    logger.error({ lostSpoolId: keptId, spoolId: spool.id }, 'alarm: the spool of this data folder is lost; what it held and was not rated will not be charged');
    metrics.alarm('spool_lost');
    await rm(path, { force: true });
  }
  const keep = (): Promise<void> => writePrivateFile(path, `${spool.id}\n`);
  if (spool.totalBytes > 0) return keep();
  const stopListening = spool.onWritten(() => {
    stopListening();
    keep().catch((error: unknown) => {
      logger.error({ cause: String(error) }, 'the id of the spool could not be kept: its loss would go unnoticed');
      metrics.alarm('spool_id_not_kept');
    });
  });
}
