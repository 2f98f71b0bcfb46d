/** Why the same work is tried again. The log must not carry the event itself. */
export interface ConsumptionTrouble {
  doing: 'connect' | 'cursor' | 'read' | 'handle' | 'commit';
  /** In a row. */
  failures: number;
  pauseMs: number;
  cause: unknown;
}

export interface ConsumptionOptions {
  /** 0 ≤ x < 1. */
  random: () => number;
  onTrouble: (trouble: ConsumptionTrouble) => void;
}
