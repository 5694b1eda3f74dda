"""AUTOMATIC1111's prompt dialect: tokens, emphasis, schedules, chunks, extra networks. Text in, numbers out.

No torch.
"""
