-- Stands in the place of the component for: who may switch the microphone and camera on. It is announced and answers disco; each request is refused as not
-- implemented.

module:require "hosts".component("av_moderation");
