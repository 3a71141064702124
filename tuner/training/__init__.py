"""Pure torch, testable without Ray: the loop, its parts, and what a rank does for a lane."""
