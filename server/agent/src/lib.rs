//! The reconcile loop: compile, observe, diff, apply, verify.
