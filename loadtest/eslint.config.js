import js from '@eslint/js';

const k6 = { __ENV: 'readonly', __VU: 'readonly', __ITER: 'readonly' };
const node = { process: 'readonly', console: 'readonly', setInterval: 'readonly', clearInterval: 'readonly', URL: 'readonly', performance: 'readonly', Buffer: 'readonly', fetch: 'readonly' };

export default [
  js.configs.recommended,
  { rules: { eqeqeq: 'error', 'no-var': 'error', 'prefer-const': 'error' } },
  { files: ['simple/**', 'advanced/**'], languageOptions: { globals: k6 } },
  { files: ['testing/**', '*.js'], languageOptions: { globals: node } },
];
