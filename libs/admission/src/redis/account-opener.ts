/** The account service, as a gateway asks it to open accounts that Redis does not know. */
export interface AccountOpener {
  /**
   * Waits until each is open, up to `waitMs`. In the answer: the token of its opening, or undefined when there is no
   * such account. One that is not in the answer is still being opened. @throws when the account service cannot be asked
   */
  open(accountIds: readonly string[], waitMs: number): Promise<ReadonlyMap<string, string | undefined>>;
}
