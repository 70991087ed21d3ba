"""The conversation: a LangGraph of a supervisor and two agents, and the ``Assistant`` every front door talks to."""
