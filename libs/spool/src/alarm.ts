/**
 * What an operator must hear of:
 * `torn_tail` the last segment ended in half a record (a power loss); it was cut there;
 * `damaged` bytes inside a segment are no record; the readable records around them were kept;
 * `write_failed` the disk refuses writes, nothing is admitted; `write_resumed` it takes them again;
 * `sync_failed` an fdatasync failed, what it may have lost was written again to a new segment;
 * `ballast_missing` the reserve is not there, nothing is admitted; `ballast_restored` it is there again;
 * `high_water` more is kept than allowed, nothing is admitted; `below_high_water` admitted again;
 * `cursor_ahead` a reader's position is beyond the log; it is read from its beginning.
 */
export type SpoolAlarmKind =
  | 'torn_tail'
  | 'damaged'
  | 'write_failed'
  | 'write_resumed'
  | 'sync_failed'
  | 'ballast_missing'
  | 'ballast_restored'
  | 'high_water'
  | 'below_high_water'
  | 'cursor_ahead';

export interface SpoolAlarm {
  kind: SpoolAlarmKind;
  /** One sentence for a log line. Never a payload. */
  message: string;
  cause?: unknown;
}

export type AlarmListener = (alarm: SpoolAlarm) => void;
