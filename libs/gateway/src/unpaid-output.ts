/** Output that was read but that the hold does not pay for yet, in order. */
export class UnpaidOutput {
  private pieces: { tokens: number; slices: Buffer[]; bytes: number }[] = [];
  bytes = 0;

  /** `tokens`: all output up to the end of these slices. */
  add(tokens: number, slices: Buffer[]): void {
    const bytes = slices.reduce((sum, slice) => sum + slice.length, 0);
    this.bytes += bytes;
    this.pieces.push({ tokens, slices, bytes });
  }

  /** What is paid for by now. */
  takePaid(pays: (tokens: number) => boolean): Buffer[] {
    const paid = this.pieces.findIndex(({ tokens }) => !pays(tokens));
    const taken = this.pieces.splice(0, paid < 0 ? this.pieces.length : paid);
    for (const { bytes } of taken) this.bytes -= bytes;
    return taken.flatMap(({ slices }) => slices);
  }

  takeAll(): Buffer[] {
    return this.takePaid(() => true);
  }
}
