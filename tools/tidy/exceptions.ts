// The exceptions that the rules know, each with its reason. An entry that no longer applies is a finding of its own.

/** Files and folders that may read the wall clock: they stand at the edge, and hand the time on. */
export const clockReaders: readonly { prefix: string; reason: string }[] = [
  { prefix: 'apps/', reason: 'composition roots hand the clock to the libs' },
  { prefix: 'tools/', reason: 'scripts around the product' },
  { prefix: 'e2e/', reason: 'tests wait with a deadline in real time' },
  { prefix: 'bench/', reason: 'measures real time' },
  { prefix: 'libs/testing/', reason: 'tests wait with a deadline in real time' },
];

/** Logic without a spec beside it, because a spec of a neighbour or of the whole shows it: file → spec. */
export const shownElsewhere: Readonly<Record<string, string>> = {
  'libs/gateway/src/inference-intake.ts': 'libs/gateway/src/gateway.spec.ts',
  'libs/gateway/src/usage.controller.ts': 'e2e/api/refusals.spec.ts',
  'libs/gateway/src/health.controller.ts': 'e2e/api/refusals.spec.ts',
  'libs/gateway/src/public-error.filter.ts': 'e2e/api/refusals.spec.ts',
  'libs/gateway/src/spool-identity.ts': 'e2e/faults/standalone/spool-loss.spec.ts',
  'libs/adapter-kit/src/adapter-service.ts': 'e2e/services/start-services.spec.ts',
  'libs/quickstart/src/simulator-process.ts': 'e2e/standalone/start.spec.ts',
};
