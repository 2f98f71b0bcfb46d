/** What the person who watches is told. */
export interface Narrator {
  say(line: string): void;
}
