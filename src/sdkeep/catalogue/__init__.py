"""The catalogue: one SQLite file that remembers what every model file is and where it came from and lies.

Ground values go in and come out; tables never leave this room. It keeps records and answers questions: it touches no
model file, reads no network and decides nothing about placing or deleting.

Reading loads SQLAlchemy's core alone, since `ls` and shell completion must start fast; the table classes (SQLModel)
load with the first write, the migration library only when a catalogue is behind.
"""
