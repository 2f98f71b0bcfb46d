import { writeUsd } from '@tokone/pricing';
import { TOKEN_CLASSES } from '@tokone/protocol';
import type { ChargeStatement, RatedStatement, WaivedStatement } from './charge-statement.js';

/**
 * A statement as the JSON of the management API: money as decimal strings of USD, times in ISO 8601, only classes and
 * units that were used. `price` of a line is USD per million tokens, or per unit.
 */
export function writeChargeStatement(statement: ChargeStatement): object {
  if (statement.state === 'parked') {
    const { parkedAtMs, ...parked } = statement;
    return { ...parked, parkedAt: isoTime(parkedAtMs) };
  }
  const { tokens, units, lines, listNanoUsd, ratedNanoUsd, holdNanoUsd, grantNanoUsd, chargeNanoUsd, writeOffNanoUsd, multiplierPpm, waived, ...rest } = statement;
  const { startedAtMs, firstByteAtMs, endedAtMs, ratedAtMs, ...plain } = rest;
  return {
    ...plain,
    tokens: Object.fromEntries(TOKEN_CLASSES.filter((name) => tokens[name] > 0).map((name) => [name, tokens[name]])),
    units,
    multiplier: writeMultiplier(multiplierPpm),
    lines: lines.map(writeLine(units)),
    list: writeUsd(listNanoUsd),
    rated: writeUsd(ratedNanoUsd),
    held: writeUsd(holdNanoUsd),
    granted: writeUsd(grantNanoUsd),
    charge: writeUsd(chargeNanoUsd),
    writeOff: writeUsd(writeOffNanoUsd),
    startedAt: isoTime(startedAtMs),
    firstByteAt: firstByteAtMs === null ? null : isoTime(firstByteAtMs),
    endedAt: isoTime(endedAtMs),
    ratedAt: isoTime(ratedAtMs),
    waived: waived && writeWaived(waived),
  };
}

function writeWaived({ atMs, ...waived }: WaivedStatement): object {
  return { ...waived, at: isoTime(atMs) };
}

function writeLine(units: RatedStatement['units']): (line: RatedStatement['lines'][number]) => object {
  return ({ item, quantity, priceNanoUsd, amountNanoUsd }) => {
    const per = Object.hasOwn(units, item) ? 'unit' : 'million tokens';
    return { item, quantity, price: writeUsd(priceNanoUsd), per, amount: writeUsd(amountNanoUsd) };
  };
}

/** Parts per million as a decimal: `1`, `0.8`, `1.25`. Exact: six digits behind the point. */
function writeMultiplier(ppm: number): string {
  const [whole = '0', fraction = ''] = [String(Math.trunc(ppm / 1_000_000)), String(ppm % 1_000_000).padStart(6, '0').replace(/0+$/, '')];
  return fraction === '' ? whole : `${whole}.${fraction}`;
}

function isoTime(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
