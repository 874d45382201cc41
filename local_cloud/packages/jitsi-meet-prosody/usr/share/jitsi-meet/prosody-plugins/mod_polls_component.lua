-- Stands in the place of the component for: polls. It is announced and answers disco; each request is refused as not
-- implemented.

module:require "hosts".component("polls");
