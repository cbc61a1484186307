"""The commands of `efemera`, one file each: flags in, the work called by name, results printed."""
