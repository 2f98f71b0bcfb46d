/** prom-client offers its metrics of the process only all together, with two timers that nobody can stop; these are the others. */
declare module 'prom-client/lib/metrics/*.js' {
  import type { Registry } from 'prom-client';

  const collect: (registry: Registry) => void;
  export default collect;
}
