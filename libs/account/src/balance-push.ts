import type { Admission, AdmissionPosting } from '@tokone/admission';
import type { RaiseAlarm } from './account-alarm.js';

/** Pushes at once: enough for a batch, without flooding a remote admission. */
const PUSHES_AT_ONCE = 32;

/**
 * Tells admission what the ledger posted. A push that fails raises an alarm and is not repeated here: the sweeper
 * finds it missing. Never throws, since the ledger's work is done and must not be asked for again.
 */
export async function pushBalances(
  admission: Pick<Admission, 'post'>,
  postings: readonly AdmissionPosting[],
  raiseAlarm: RaiseAlarm,
): Promise<void> {
  const waiting = postings.values();
  const worker = async (): Promise<void> => {
    for (const posting of waiting) {
      try {
        await admission.post(posting);
      } catch (error) {
        raiseAlarm({ kind: 'push_failed', accountId: posting.accountId, error });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(PUSHES_AT_ONCE, postings.length) }, worker));
}
