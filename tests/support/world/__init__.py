"""A small world for end-to-end tests: two network namespaces, cgroups, processes, lunard.

Nothing in it outlives the test session: namespaces end with their anchor process, and every
process runs in a cgroup that is killed and removed at the end.
"""
