import { fileURLToPath } from 'node:url';
import { folder } from '@tokone/http';

/** In the repository, as npm start has it. */
const STANDARD_DATA_FOLDER = fileURLToPath(new URL('../../../.tokone', import.meta.url));

/** Everything that can be set. */
export const SETTINGS = {
  TOKONE_DATA_DIR: folder('Data folder of the TokOne to speak to. Unset: .tokone in the repository.', STANDARD_DATA_FOLDER),
};
