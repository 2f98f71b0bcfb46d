import type { AnswerScanner, AnswerScannerOptions, ScanAnswer } from './answer-scanner.js';
import { JsonArrayScanner } from './json-array-scanner.js';
import { JsonScanner } from './json-scanner.js';
import { SseScanner } from './sse-scanner.js';

/** The scanner for one answer, by its framing. */
export const scanAnswer: ScanAnswer = (options: AnswerScannerOptions): AnswerScanner => {
  switch (options.framing) {
    case 'sse':
      return new SseScanner(options);
    case 'json':
      return new JsonScanner(options);
    case 'json-array':
      return new JsonArrayScanner(options);
  }
};
