"""Who proposes what to try, and who stops a trial early: the only package that imports Optuna."""
