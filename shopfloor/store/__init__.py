"""SQLite: connections, migrations, catalogue import, traces, feedback and checkpoints."""
