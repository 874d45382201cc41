-- Stands in the place of the component for: what a room's settings are. It is announced and answers disco; each request is refused as not
-- implemented.

module:require "hosts".component("room_metadata");
