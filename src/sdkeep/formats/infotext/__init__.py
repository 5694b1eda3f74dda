"""What made a picture: its text chunks, the parameters in them, the models they call. Nothing is resolved."""
