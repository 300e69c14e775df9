/** What the browser keeps for this page between visits, on this machine only. */

/** What was kept there; null if nothing was, if storage is closed to us, or if it holds something else. */
export function kept(place) {
  try {
    return JSON.parse(localStorage.getItem(place));
  } catch {
    return null;
  }
}

/** Keep `value`, or nothing where it is null; where storage is closed or full, it holds for this visit; whether it was kept. */
export function keep(place, value) {
  try {
    if (value === null) localStorage.removeItem(place);
    else localStorage.setItem(place, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}
