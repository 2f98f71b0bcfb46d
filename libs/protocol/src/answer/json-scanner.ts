import { AnswerScan } from './answer-scan.js';

/** Documents up to here are held whole. */
export const DOCUMENT_LIMIT_BYTES = 262_144;

/**
 * One JSON document. A short one is held whole until the end; of a longer one everything goes out but the last read,
 * and from the read on that closes the document nothing does: its last bracket is the terminal unit.
 */
export class JsonScanner extends AnswerScan {
  complete = false;
  private seenBytes = 0;

  /** The document is closed. */
  get terminal(): boolean {
    return this.reading.walker.closed;
  }

  protected override endAnswer(): void {
    this.complete = this.reading.walker.closed;
  }

  protected override scan(text: string): void {
    const { walker } = this.reading;
    const wasClosed = walker.closed;
    const valueEnd = walker.walk(0, text.length);
    if (valueEnd < text.length) {
      walker.walk(valueEnd, text.length);
    }
    this.reading.take();
    this.seenBytes += text.length;
    if (this.seenBytes > DOCUMENT_LIMIT_BYTES && !(wasClosed && walker.closed)) {
      this.relay.release(0);
    }
    if (!wasClosed && walker.closed) {
      this.terminalBytes = this.relay.waitingBytesBefore(valueEnd);
    }
  }
}
