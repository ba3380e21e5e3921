"""Recordings: what the live lab has shown on another machine, shown again where none can run.

- `written`: Traces as text, and back;
- `tape`: what was seen in one World: sessions, each of them what one lab did, in order;
- `shelf`: the tapes that come with the course, found by the World they were made of;
- `replay`: an engine of a Lab, like the live one, that answers from a tape;
- `recorder`: an engine that writes down what the live one answers.

`make recordings` makes all of them anew.
"""
