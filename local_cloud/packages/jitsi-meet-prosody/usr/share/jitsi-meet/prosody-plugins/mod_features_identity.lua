-- Other modules name, by the event jitsi-add-identity, the components that the domain of the meetings announces.

module:hook("jitsi-add-identity", function (event)
	module:add_identity("component", event.name, event.host);
end);
