// Keeps the page of an order up to date: asks for its status until nothing more will happen.
"use strict";

const PAUSE_MS = 1000;
// After a failure, twice as long each time, up to this.
const LONGEST_PAUSE_MS = 30000;

const status = document.getElementById("status");
const isFinal = () => document.getElementById("stand")?.dataset.final !== undefined;

function look(pause) {
  if (isFinal()) return;
  setTimeout(async () => {
    // Nobody looks at a page in the background.
    if (document.hidden) return look(PAUSE_MS);
    try {
      const answer = await fetch(`${location.pathname}/status`, { headers: { accept: "text/html" } });
      if (!answer.ok) throw new Error(String(answer.status));
      const stand = await answer.text();
      // What has not changed is not announced again.
      if (stand !== status.innerHTML) status.innerHTML = stand;
      look(PAUSE_MS);
    } catch {
      look(Math.min(pause * 2, LONGEST_PAUSE_MS));
    }
  }, pause);
}

if (status) look(PAUSE_MS);
