// What browsers are told. nginx fills in the lines with server-side includes, for rooms below a tenant.
var subdir = '<!--# echo var="subdir" default="" -->';
var subdomain = '<!--# echo var="subdomain" default="" -->';
if (subdomain) {
  subdomain = subdomain.substring(0, subdomain.length - 1).split('.').join('_').toLowerCase() + '.';
}
var config = {
  hosts: {
    domain: '@DOMAIN@',
    muc: 'conference.' + subdomain + '@DOMAIN@'
  },
  bosh: 'https://@DOMAIN@/' + subdir + 'http-bind',
  websocket: 'wss://@DOMAIN@/' + subdir + 'xmpp-websocket',
  channelLastN: -1,
  enableWelcomePage: true,
  p2p: { enabled: true }
};
