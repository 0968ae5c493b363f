import { InvalidArgumentError, Option } from 'commander';
import { checkedForms, FORMS, type Forms } from '../../models/kernels/forms.js';

/** `--form part=form,…`: how costly parts of a network are computed. */
export function formOption(): Option {
  const example = Object.entries(FORMS).map(([part, forms]) => `${part}=${forms.join('|')}`);
  return new Option('--form <part=form,…>', `how costly parts are computed, such as ${example.join(',')}`).argParser(
    formsOf,
  );
}

/** `separated=spectral,regions=gemm`; `spectral` alone is the separated convolution's. */
function formsOf(text: string): Forms {
  const named = text.split(',').map((pair) => (pair.includes('=') ? pair.split('=', 2) : ['separated', pair]));
  try {
    return checkedForms(Object.fromEntries(named) as Record<string, string>); // Pairs by the line above.
  } catch (cause) {
    throw new InvalidArgumentError((cause as Error).message); // checkedForms throws nothing but InputError.
  }
}
