export { startSimulator, type Simulator, type SimulatorOptions } from './server.js';
export { type Outcome, type TruthRecord } from './truth.js';
export { type TokenClasses } from './answer.js';
export { type DialectName } from './dialect.js';
export { bytesPerToken } from './answer-text.js';
export { directiveNames } from './directives.js';
export { Lifeline } from './lifeline.js';
export { readSimulatorSettings, type SimulatorSettings } from './settings.js';
