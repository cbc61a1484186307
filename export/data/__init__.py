"""Market data in: price files, B3, Yahoo, calendars, corporate actions, simulation, and the audit."""
