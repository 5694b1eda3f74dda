"""Samplers, noise schedules and noise, by AUTOMATIC1111's names: pure functions of tensors, no network inside."""
