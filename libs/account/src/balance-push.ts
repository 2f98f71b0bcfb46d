import type { Admission, AdmissionPosting } from '@tokone/admission';
import type { RaiseAlarm } from './account-alarm.js';

/** Pushes at once: a remote admission takes as many in one message. */
const PUSHES_AT_ONCE = 1_000;

/**
 * Tells admission what the ledger posted. Pushes that fail raise one alarm together and are not repeated here: the
 * sweeper finds them missing. Never throws, since the ledger's work is done and must not be asked for again.
 */
export async function pushBalances(
  admission: Pick<Admission, 'post'>,
  postings: readonly AdmissionPosting[],
  raiseAlarm: RaiseAlarm,
): Promise<void> {
  const waiting = postings.values();
  const failures: { accountId: string; error: unknown }[] = [];
  const worker = async (): Promise<void> => {
    for (const posting of waiting) {
      try {
        await admission.post(posting);
      } catch (error) {
        failures.push({ accountId: posting.accountId, error });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(PUSHES_AT_ONCE, postings.length) }, worker));
  const [first] = failures;
  if (first) raiseAlarm({ kind: 'push_failed', accountIds: failures.map(({ accountId }) => accountId), error: first.error });
}
