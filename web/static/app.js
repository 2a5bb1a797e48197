// Adds to pages that are complete without it: copy buttons, keys, and that a page follows what happens. One module for each.
import { addCopyButtons, closeCopies } from "./copy.js";
import { resetFilters } from "./filter.js";
import { listenToKeys } from "./keys.js";
import { follow } from "./live.js";
import { walkMaps } from "./map.js";

// What is said to whoever has no scripts.
document.documentElement.classList.add("scripted");
addCopyButtons(document);
closeCopies();
resetFilters();
listenToKeys();
walkMaps();
follow();
