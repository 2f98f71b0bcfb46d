import type { Prompt, StreamEvent } from './dialect.js';

/** How the events of a stream are put on the wire. */
export interface Framing {
  readonly opening: string;
  readonly closing: string;
  frame(event: StreamEvent): string;
  /** Something that every reader must skip; empty where the format has no such thing. */
  comment(text: string): string;
}

export function framingOf(kind: Prompt['framing'], lineEnd: '\n' | '\r\n'): Framing {
  return kind === 'sse' ? serverSentEvents(lineEnd) : jsonArray();
}

function serverSentEvents(lineEnd: string): Framing {
  return {
    opening: '',
    closing: '',
    frame: ({ name, data }) => `${name === undefined ? '' : `event: ${name}${lineEnd}`}data: ${data}${lineEnd}${lineEnd}`,
    comment: (text) => `: ${text}${lineEnd}${lineEnd}`,
  };
}

/** Google's streaming without `alt=sse`: one JSON array whose elements arrive one by one. */
function jsonArray(): Framing {
  let elements = 0;
  return {
    opening: '[',
    closing: '\n]\n',
    frame: ({ data }) => {
      elements += 1;
      return elements === 1 ? data : `\n,\r\n${data}`;
    },
    comment: () => '',
  };
}
