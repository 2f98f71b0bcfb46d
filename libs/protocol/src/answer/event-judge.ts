import type { Dialect } from '../dialect.js';
import { CAPTURED, FOUND } from './answer-field.js';
import type { JsonWalker } from './json-walker.js';

/** How the data of an event begins. */
export const DATA_HEAD = { none: 0, object: 1, perhapsDone: 2, done: 3, other: 4 } as const;

/** What is known of an event, whole or still partial. */
export interface EventFacts {
  /** The `event:` line, once it is whole. */
  readonly name: string | undefined;
  /** One of `DATA_HEAD`. */
  readonly dataHead: number;
  readonly walker: JsonWalker;
}

/** A dialect's rules for the bytes of an event. */
export interface EventJudge {
  /** The event, partial or whole, is known to be (or to begin) the terminal unit. */
  isTerminal(event: EventFacts): boolean;
  /** A partial event is known to be neither terminal nor removable. */
  mayPass(event: EventFacts): boolean;
  /** A whole event is to be taken out of the stream. */
  isRemoved(event: EventFacts): boolean;
  /** A whole event shows that an answer which had seemed to be over goes on. */
  isReopening(event: EventFacts): boolean;
  /** The terminal event is the last one; else the terminal unit reaches to the end of the stream. */
  readonly terminalIsLast: boolean;
}

export function eventJudgeOf(dialect: Dialect, removeUsageEvent: boolean): EventJudge {
  switch (dialect) {
    case 'openai-chat':
      return removeUsageEvent ? OPENAI_CHAT_WITHOUT_USAGE_EVENT : OPENAI_CHAT;
    case 'anthropic-messages':
      return ANTHROPIC_MESSAGES;
    case 'gemini-content':
      return GEMINI_CONTENT;
  }
}

/** Gemini has no closing event: the answer is over when each candidate has said why, or when the prompt was blocked. */
export function endsGeminiAnswer({ candidates, found }: JsonWalker): boolean {
  return candidates.allEnded || (found & (FOUND.block | FOUND.answers)) === FOUND.block;
}

const OPENAI_CHAT: EventJudge = {
  isTerminal: (event) => event.dataHead === DATA_HEAD.done,
  mayPass: (event) => event.dataHead === DATA_HEAD.object || event.dataHead === DATA_HEAD.other,
  isRemoved: () => false,
  isReopening: () => false,
  terminalIsLast: true,
};

const OPENAI_CHAT_WITHOUT_USAGE_EVENT: EventJudge = {
  ...OPENAI_CHAT,
  mayPass: (event) =>
    event.dataHead === DATA_HEAD.other || (event.walker.found & (FOUND.answers | FOUND.usageNull)) !== 0,
  isRemoved: ({ walker }) =>
    walker.closed && (walker.found & FOUND.noAnswers) !== 0 && walker.captured[CAPTURED.usage] !== undefined,
};

const MESSAGE_STOP = '"message_stop"';

const ANTHROPIC_MESSAGES: EventJudge = {
  isTerminal: (event) => event.name === 'message_stop' || event.walker.captured[CAPTURED.type] === MESSAGE_STOP,
  mayPass: (event) => event.name !== undefined || event.walker.captured[CAPTURED.type] !== undefined,
  isRemoved: () => false,
  isReopening: () => false,
  terminalIsLast: true,
};

const GEMINI_CONTENT: EventJudge = {
  isTerminal: (event) => event.walker.closed && endsGeminiAnswer(event.walker),
  mayPass: () => false,
  isRemoved: () => false,
  isReopening: ({ walker }) => walker.closed && walker.candidates.someOpen,
  terminalIsLast: false,
};
