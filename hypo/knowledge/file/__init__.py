"""Knowledge files and dictionaries, read section by section, every problem collected before any is raised."""
