// Adds to pages that are complete without it: copy buttons, keys, and that a page follows what happens. One module for each.
import { addCopyButtons, closeCopies } from "./copy.js";
import { listenToKeys } from "./keys.js";
import { follow } from "./live.js";

addCopyButtons(document);
closeCopies();
listenToKeys();
follow();
