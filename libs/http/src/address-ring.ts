/** An address that failed is asked after the others for so long. */
const REST_MS = 5_000;

/** The addresses of the replicas of one service, in turn. One that stopped or froze rests for a while, behind the others. */
export class AddressRing {
  private next = 0;
  private readonly restUntilMs: number[];

  constructor(
    private readonly addresses: readonly string[],
    /** Milliseconds, monotonic. */
    private readonly now: () => number,
  ) {
    this.restUntilMs = addresses.map(() => Number.NEGATIVE_INFINITY);
  }

  /** All addresses, each once, in the order in which this request should try them. */
  order(): readonly string[] {
    const { addresses } = this;
    if (addresses.length <= 1) return addresses;
    const from = this.next;
    this.next = (from + 1) % addresses.length;
    const nowMs = this.now();
    const awake: string[] = [];
    const resting: string[] = [];
    for (let step = 0; step < addresses.length; step++) {
      const index = (from + step) % addresses.length;
      const address = addresses[index] as string;
      if ((this.restUntilMs[index] ?? 0) > nowMs) resting.push(address);
      else awake.push(address);
    }
    return resting.length === 0 ? awake : [...awake, ...resting];
  }

  rest(address: string): void {
    const index = this.addresses.indexOf(address);
    if (index >= 0) this.restUntilMs[index] = this.now() + REST_MS;
  }
}
