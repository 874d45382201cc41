"""What hosts boot from: Debian root file systems and a signed package archive, made once and kept in a cache."""
