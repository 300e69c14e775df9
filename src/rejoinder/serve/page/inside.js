/** Look inside: what each token of the draft does to the memory cell, and how likely each rung found it, as a coloured table. */

import * as api from "./api.js";
import { byId, make, percent } from "./elements.js";

export class Inside {
  constructor(composer) {}
  soon() {}
}
