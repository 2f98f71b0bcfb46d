/** One instruction, its continued lines joined. */
export interface Instruction {
  keyword: string;
  text: string;
}

/** From one FROM to the next. */
export interface Stage {
  /** As it stands there: an argument, or the name of an earlier stage. */
  base: string;
  name: string;
  instructions: readonly Instruction[];
}

export interface Dockerfile {
  /** Arguments before the first FROM, with their values. */
  bases: ReadonlyMap<string, string>;
  stages: readonly Stage[];
}

export function readDockerfile(text: string): Dockerfile {
  const bases = new Map<string, string>();
  const stages: (Stage & { instructions: Instruction[] })[] = [];
  for (const instruction of instructionsIn(text)) {
    const stage = stages.at(-1);
    if (instruction.keyword === 'FROM') {
      const [, base = '', name = ''] = /^(\S+)(?:\s+AS\s+(\S+))?$/.exec(instruction.text) ?? [];
      stages.push({ base, name, instructions: [] });
    } else if (stage) {
      stage.instructions.push(instruction);
    } else {
      const [name = '', value = ''] = instruction.text.split('=');
      bases.set(name, value);
    }
  }
  return { bases, stages };
}

function instructionsIn(text: string): Instruction[] {
  const lines = text.split('\n').filter((line) => !/^\s*#/.test(line));
  const joined = lines.join('\n').replace(/\\\n/g, ' ').split('\n').filter((line) => line.trim() !== '');
  return joined.map((line) => {
    const [, keyword = '', rest = ''] = /^(\w+)\s+(.*)$/.exec(line.trim()) ?? [];
    return { keyword: keyword.toUpperCase(), text: rest.trim() };
  });
}

/** The texts of all instructions of a kind in a stage. */
export function textsOf(stage: Stage, keyword: string): string[] {
  return stage.instructions.filter((instruction) => instruction.keyword === keyword).map(({ text }) => text);
}

/** A command in exec form, `["node", "…"]`, with a CMD or options before it. Undefined in shell form. */
export function execForm(text: string): string[] | undefined {
  const start = text.indexOf('[');
  if (start < 0) return undefined;
  try {
    return JSON.parse(text.slice(start)) as string[];
  } catch {
    return undefined;
  }
}

/** `NAME=value …` of an ENV instruction without blanks in the values. */
export function environmentIn(stage: Stage): Record<string, string> {
  return Object.fromEntries(textsOf(stage, 'ENV').flatMap((text) => text.split(/\s+/).map((pair) => pair.split('=') as [string, string])));
}
