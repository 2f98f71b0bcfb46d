import type { AnswerScanner, AnswerScannerOptions, ReportedUsage } from './answer-scanner.js';
import { AnswerReading } from './answer-reading.js';
import { ByteRelay } from './byte-relay.js';

/** Of what comes behind an answer's last event, so much is held. */
const HELD_LIMIT_BYTES = 1_048_576;

/** What the scanners of all framings have in common: the reading of the answer and the relay of its bytes. */
export abstract class AnswerScan implements AnswerScanner {
  abstract readonly terminal: boolean;
  abstract readonly complete: boolean;
  overheld = false;

  protected readonly relay = new ByteRelay();
  protected readonly reading: AnswerReading;
  /** The event or document that began the terminal unit, as far as it is held. */
  protected terminalBytes = 0;

  constructor(options: AnswerScannerOptions) {
    this.reading = new AnswerReading(options.dialect, options.framing);
  }

  end(): void {
    if (!this.overheld) {
      this.endAnswer();
    }
  }

  protected abstract endAnswer(): void;

  /** Walks one read between `relay.open` and `relay.close`; `text` is its latin1 view. */
  protected abstract scan(text: string): void;

  push(bytes: Buffer): void {
    if (bytes.length === 0 || this.overheld) {
      return;
    }
    this.relay.open(bytes);
    if (this.isReading()) {
      const text = bytes.toString('latin1');
      this.reading.walker.open(text);
      this.scan(text);
      this.reading.walker.open(''); // The view of a large read must not outlive it in an idle stream.
    }
    this.overheld = this.terminal && this.relay.waitingBytes - this.terminalBytes > HELD_LIMIT_BYTES;
    this.relay.close();
  }

  takeReady(): Buffer[] {
    return this.relay.takeReady();
  }

  takeHeld(): Buffer[] {
    return this.relay.takeHeld();
  }

  get errored(): boolean {
    return this.reading.errored;
  }

  get usage(): ReportedUsage | undefined {
    return this.reading.usage;
  }

  get outputTextBytes(): number {
    return this.reading.outputTextBytes;
  }

  get answerId(): string | undefined {
    return this.reading.answerId;
  }

  get oversized(): boolean {
    return this.reading.oversized;
  }

  /** False once nothing that follows can matter: it is held unread. */
  protected isReading(): boolean {
    return true;
  }
}
