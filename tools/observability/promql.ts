/** A metric as an expression asks for it. */
export interface Selector {
  metric: string;
  matchers: readonly { label: string; operator: string; value: string }[];
}

export interface Expression {
  selectors: readonly Selector[];
  /** Labels that something is grouped, joined or kept by. */
  groupings: readonly string[];
}

/** Strings, comments, ranges, names, operators of two characters; anything else by itself. */
const TOKEN = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|#[^\n]*|\[[^\]]*\]|[A-Za-z_:][\w:]*|\d[\w.]*|[=!]~|[=!<>]=|\S/g;
const NAME = /^[A-Za-z_:]/;
const LISTS = new Set(['by', 'without', 'on', 'ignoring', 'group_left', 'group_right']);
const WORDS = new Set([...LISTS, 'and', 'or', 'unless', 'bool', 'offset', 'inf', 'nan']);
const AGGREGATIONS = new Set(['sum', 'min', 'max', 'avg', 'count', 'group', 'stddev', 'stdvar', 'topk', 'bottomk', 'quantile', 'count_values']);

/** What an expression of PromQL names. Whether it is one at all is said by promtool. */
export function readExpression(text: string): Expression {
  const tokens = (text.match(TOKEN) ?? []).filter((token) => !token.startsWith('#'));
  const selectors: Selector[] = [];
  const groupings: string[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const [token = '', next] = tokens.slice(at, at + 2);
    if (!NAME.test(token)) continue;
    if (LISTS.has(token) && next === '(') {
      const list = between(tokens, at + 1, ')');
      groupings.push(...list.filter((label) => NAME.test(label)));
      at += list.length + 2;
    } else if (WORDS.has(token) || AGGREGATIONS.has(token) || next === '(') continue;
    else if (next === '{') {
      const inside = between(tokens, at + 1, '}');
      selectors.push({ metric: token, matchers: matchersOf(inside) });
      at += inside.length + 2;
    } else selectors.push({ metric: token, matchers: [] });
  }
  return { selectors, groupings };
}

/** The tokens between the one at `open` and the first `close` behind it. */
function between(tokens: readonly string[], open: number, close: string): string[] {
  const end = tokens.indexOf(close, open);
  return tokens.slice(open + 1, end < 0 ? tokens.length : end);
}

function matchersOf(tokens: readonly string[]): Selector['matchers'] {
  const parts = tokens.filter((token) => token !== ',');
  return Array.from({ length: Math.floor(parts.length / 3) }, (_, index) => {
    const [label = '', operator = '', quoted = ''] = parts.slice(3 * index, 3 * index + 3);
    return { label, operator, value: quoted.slice(1, -1) };
  });
}
