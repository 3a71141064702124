"""What people look at: the leaderboard, the live display, learning curves, the plan."""
