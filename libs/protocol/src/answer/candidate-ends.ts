/** Candidates that are told apart. More of them, and indexes that make no sense, share one place. */
const CANDIDATE_LIMIT = 128;

/**
 * Which candidates of a Gemini answer have been seen, and which of them have said why they ended (Gemini API
 * reference, "Candidate": an empty `finishReason` means that the model has not stopped).
 *
 * What a document says counts at once and for good only when the document proves to be whole.
 */
export class CandidateEnds {
  private readonly known = new Map<number, boolean>();
  private readonly noted = new Map<number, boolean>();

  /** A candidate of the current document; `index` as JSON text, undefined where it is left out, as proto3 does with 0. */
  note(index: string | undefined, ended: boolean): void {
    const place = placeOf(index);
    this.noted.set(place, ended || this.noted.get(place) === true);
  }

  endDocument(whole: boolean): void {
    if (this.noted.size === 0) {
      return;
    }
    if (whole) {
      for (const [place, ended] of this.noted) {
        this.known.set(place, ended || this.known.get(place) === true);
      }
    }
    this.noted.clear();
  }

  /** There are candidates, and each has ended. */
  get allEnded(): boolean {
    return this.known.size + this.noted.size > 0 && !this.someOpen;
  }

  get someOpen(): boolean {
    for (const [place, ended] of this.noted) {
      if (!ended && this.known.get(place) !== true) {
        return true;
      }
    }
    for (const [place, ended] of this.known) {
      if (!ended && this.noted.get(place) !== true) {
        return true;
      }
    }
    return false;
  }
}

function placeOf(index: string | undefined): number {
  const place = index === undefined ? 0 : Number(index);
  return Number.isInteger(place) && place >= 0 && place < CANDIDATE_LIMIT ? place : CANDIDATE_LIMIT;
}
