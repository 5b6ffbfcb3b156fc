// Leads the imports of k6's modules to the stand-ins beside this file.

const MODULES = { k6: 'k6.js', 'k6/http': 'http.js', 'k6/metrics': 'metrics.js', 'k6/execution': 'execution.js' };

export async function resolve(specifier, context, next) {
  const file = MODULES[specifier];
  if (file) return { url: new URL(`./modules/${file}`, import.meta.url).href, shortCircuit: true };
  if (specifier.startsWith('k6') || specifier.startsWith('http')) throw new Error(`${specifier}: the stand-in has no such module`);
  return next(specifier, context);
}
