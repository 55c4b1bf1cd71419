// Names that nobody declares, and those that nobody uses: what a run finds only where it comes by.

import globals from 'globals';

export default [{
    languageOptions: { globals: globals.node },
    rules: { 'no-undef': 'error', 'no-unused-vars': 'error' },
}];
